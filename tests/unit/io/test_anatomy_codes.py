"""Codes of class names, compared with the copy of the standard that pydicom carries."""

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes

from napari_medpatch.io.anatomy_codes import ABNORMAL, ANATOMY, TISSUE, concept_of
from napari_medpatch.io.anatomy_table import FINDINGS, STRUCTURES

IN_STANDARD = {code: meaning for entry in concepts["SCT"].values() for code, (meaning, _) in entry.items()}
BEYOND_IT = {
    # Not in pydicom's dictionary; the codes that TotalSegmentator and 3D Slicer write.
    *("myocardium", "heart myocardium", "portal vein splenic", "intestine", "autochthon", "subcutaneous fat"),
    *("gluteus maximus", "gluteus medius", "gluteus minimus", "iliopsoas", "infiltrate"),
}


@pytest.mark.parametrize("name", sorted({*STRUCTURES, *FINDINGS} - BEYOND_IT))
def test_codes_are_the_standards(name):
    code, meaning = (STRUCTURES | FINDINGS)[name] if isinstance(STRUCTURES, dict) else (STRUCTURES[name])
    assert code in IN_STANDARD
    words = {"Neoplasm": "Tumor", "Blood Vessel": "vascular", "Artery": "arterial", "Vein": "Venous"}
    words |= {"Aorta": "Aortic", "Pulmonary vein": "Pulmonary venous", "Pancreas": "Pancrea", "Spleen": "Splenic"}
    words |= {"Adrenal gland": "Adrenal", "Trachea": "Tracheal", "Left ventricle": "Left ventricular"}
    words |= {"Right ventricle": "Right ventricular", "Prostate": "Prostat", "Pelvis": "Pelvic", "Spine": "vertebral"}
    assert words.get(meaning, meaning).split()[-1].lower() in IN_STANDARD[code].lower()


@pytest.mark.parametrize(
    ("name", "keyword", "side"),
    [
        ("lung", codes.SCT.Lung, None),
        ("Lungs", codes.SCT.Lung, None),
        ("left lung", codes.SCT.Lung, "Left"),
        ("lung_right", codes.SCT.Lung, "Right"),
        ("Lung (L)", codes.SCT.Lung, "Left"),
        ("KIDNEYS", codes.SCT.Kidney, None),
        ("aorta", codes.SCT.Aorta, None),
        ("pulmonary arteries", codes.SCT.PulmonaryArtery, None),
        ("inferior_vena_cava", codes.SCT.InferiorVenaCava, None),
        ("small bowel", codes.SCT.SmallIntestine, None),
        ("oesophagus", codes.SCT.Esophagus, None),
        ("rib", codes.SCT.Rib, None),
        ("left/right lung", codes.SCT.Lung, None),
    ],
)
def test_names_are_understood_as_people_write_them(name, keyword, side):
    concept = concept_of(name)
    assert (concept.category, concept.type.value) == (ANATOMY, keyword.value)
    assert (concept.side.meaning if concept.side else None) == side
    assert concept.known


def test_findings_lie_in_an_organ():
    nodule = concept_of("lung nodule")
    assert (nodule.category, nodule.type.value) == (ABNORMAL, codes.SCT.Nodule.value)
    assert nodule.region.value == codes.SCT.Lung.value
    tumour = concept_of("right kidney tumour")
    assert (tumour.type.value, tumour.side.meaning) == (codes.SCT.Neoplasm.value, "Right")
    assert concept_of("GTV").type.value == codes.SCT.Neoplasm.value
    assert concept_of("lesion").region is None


def test_numbered_bones_and_chambers_of_the_heart():
    assert concept_of("vertebrae_L3").type.meaning == "L3 vertebra"
    rib = concept_of("rib_left_7")
    assert (rib.type.meaning, rib.side.meaning) == ("Seventh rib", "Left")
    assert concept_of("heart_ventricle_left").type.meaning == "Left ventricle"
    assert concept_of("left atrium").side is None


@pytest.mark.parametrize("name", ["class 1", "thing", "", "region of interest", "⚕", "left"])
def test_unknown_names_are_tissue(name):
    concept = concept_of(name)
    assert (concept.category, concept.type, concept.known) == (ANATOMY, TISSUE, False)
