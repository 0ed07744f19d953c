"""Names for people of OpenSlide's vendors."""

FORMATS = {
    "aperio": "Aperio SVS",
    "dicom": "DICOM WSI",
    "generic-tiff": "tiled TIFF",
    "hamamatsu": "Hamamatsu NDPI or VMS",
    "leica": "Leica SCN",
    "mirax": "MIRAX MRXS",
    "philips-tiff": "Philips TIFF",
    "sakura": "Sakura SVSLIDE",
    "trestle": "Trestle TIFF",
    "ventana": "Ventana BIF",
    "zeiss": "Zeiss CZI",
}
