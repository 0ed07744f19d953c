"""Names of structures and findings with their SNOMED CT codes; see :mod:`napari_medpatch.io.anatomy_codes`."""

from collections.abc import Mapping
from functools import cache

Named = tuple[str, str]
"""Code and meaning."""

STRUCTURES: Mapping[str, Named] = {
    # Chest
    "lung": ("39607008", "Lung"),
    "upper lobe lung": ("45653009", "Upper lobe of lung"),
    "middle lobe lung": ("72481006", "Middle lobe of right lung"),
    "lower lobe lung": ("90572001", "Lower lobe of lung"),
    "trachea": ("44567001", "Trachea"),
    "bronchus": ("955009", "Bronchus"),
    "airway": ("89187006", "Airway"),
    "heart": ("80891009", "Heart"),
    "myocardium": ("74281007", "Myocardium"),
    "heart myocardium": ("74281007", "Myocardium"),
    "left atrium": ("82471001", "Left atrium"),
    "left atrium heart": ("82471001", "Left atrium"),
    "right atrium": ("73829009", "Right atrium"),
    "right atrium heart": ("73829009", "Right atrium"),
    "left ventricle": ("87878005", "Left ventricle"),
    "left ventricle heart": ("87878005", "Left ventricle"),
    "right ventricle": ("53085002", "Right ventricle"),
    "right ventricle heart": ("53085002", "Right ventricle"),
    "pericardium": ("76848001", "Pericardium"),
    "esophagus": ("32849002", "Esophagus"),
    "thymus": ("9875009", "Thymus"),
    "mediastinum": ("72410000", "Mediastinum"),
    "diaphragm": ("5798000", "Diaphragm"),
    "breast": ("76752008", "Breast"),
    # Vessels
    "vessel": ("59820001", "Blood Vessel"),
    "blood vessel": ("59820001", "Blood Vessel"),
    "artery": ("51114001", "Artery"),
    "vein": ("29092000", "Vein"),
    "aorta": ("15825003", "Aorta"),
    "pulmonary artery": ("81040000", "Pulmonary artery"),
    "pulmonary vein": ("122972007", "Pulmonary vein"),
    "superior vein cava": ("48345005", "Superior vena cava"),
    "inferior vein cava": ("64131007", "Inferior vena cava"),
    "portal vein": ("32764006", "Portal vein"),
    "portal vein splenic": ("110765007", "Portal vein and splenic vein"),
    "coronary artery": ("41801008", "Coronary artery"),
    "subclavian artery": ("36765005", "Subclavian artery"),
    "common carotid artery": ("32062004", "Common carotid artery"),
    "brachiocephalic trunk": ("12691009", "Brachiocephalic artery"),
    "brachiocephalic vein": ("8887007", "Brachiocephalic vein"),
    "iliac artery": ("73634005", "Common iliac artery"),
    "iliac vein": ("46027005", "Common iliac vein"),
    # Abdomen and pelvis
    "liver": ("10200004", "Liver"),
    "gallbladder": ("28231008", "Gallbladder"),
    "pancreas": ("15776009", "Pancreas"),
    "spleen": ("78961009", "Spleen"),
    "kidney": ("64033007", "Kidney"),
    "adrenal": ("23451007", "Adrenal gland"),
    "adrenal gland": ("23451007", "Adrenal gland"),
    "stomach": ("69695003", "Stomach"),
    "duodenum": ("38848004", "Duodenum"),
    "small intestine": ("30315005", "Small Intestine"),
    "intestine": ("113276009", "Intestine"),
    "colon": ("71854001", "Colon"),
    "rectum": ("34402009", "Rectum"),
    "bladder": ("89837001", "Urinary bladder"),
    "urinary bladder": ("89837001", "Urinary bladder"),
    "prostate": ("41216001", "Prostate"),
    "uterus": ("35039007", "Uterus"),
    # Head and neck
    "brain": ("12738006", "Brain"),
    "skull": ("89546000", "Skull"),
    "spinal cord": ("2748008", "Spinal cord"),
    "thyroid": ("69748006", "Thyroid"),
    "thyroid gland": ("69748006", "Thyroid"),
    "eye": ("81745001", "Eye"),
    "face": ("89545001", "Face"),
    # Bones, muscles, fat, skin
    "bone": ("272673000", "Bone"),
    "vertebra": ("51282000", "Vertebra"),
    "spine": ("421060004", "Spine"),
    "rib": ("113197003", "Rib"),
    "sternum": ("56873002", "Sternum"),
    "clavicle": ("51299004", "Clavicle"),
    "scapula": ("79601000", "Scapula"),
    "humerus": ("85050009", "Humerus"),
    "radius": ("62413002", "Radius"),
    "ulna": ("23416004", "Ulna"),
    "sacrum": ("54735007", "Sacrum"),
    "hip": ("29836001", "Hip"),
    "pelvis": ("12921003", "Pelvis"),
    "femur": ("71341001", "Femur"),
    "patella": ("64234005", "Patella"),
    "tibia": ("12611008", "Tibia"),
    "fibula": ("87342007", "Fibula"),
    "muscle": ("71616004", "Muscle"),
    "skeletal muscle": ("127954009", "Skeletal muscle"),
    "autochthon": ("244849004", "Deep muscle of back"),
    "gluteus maximus": ("181674001", "Gluteus maximus muscle"),
    "gluteus medius": ("78333006", "Gluteus medius muscle"),
    "gluteus minimus": ("75297007", "Gluteus minimus muscle"),
    "iliopsoas": ("68455001", "Iliopsoas muscle"),
    "fat": ("256674009", "Fat"),
    "subcutaneous fat": ("67769002", "Subcutaneous fatty tissue"),
    "skin": ("39937001", "Skin"),
    "lymph node": ("59441001", "Lymph node"),
}

FINDINGS: Mapping[str, Named] = {
    "neoplasm": ("108369006", "Neoplasm"),
    "nodule": ("27925004", "Nodule"),
    "mass": ("4147007", "Mass"),
    "lesion": ("52988006", "Lesion"),
    "cyst": ("367643001", "Cyst"),
    "calcification": ("18115005", "Pathologic calcification"),
    "edema": ("79654002", "Edema"),
    "hemorrhage": ("50960005", "Hemorrhage"),
    "necrosis": ("6574001", "Necrosis"),
    "infiltrate": ("47351003", "Infiltrate"),
}

SAME_WORD: Mapping[str, str] = {
    "tumor": "neoplasm",
    "tumour": "neoplasm",
    "tumors": "neoplasm",
    "tumours": "neoplasm",
    "cancer": "neoplasm",
    "carcinoma": "neoplasm",
    "sarcoma": "neoplasm",
    "gtv": "neoplasm",
    "oesophagus": "esophagus",
    "oedema": "edema",
    "haemorrhage": "hemorrhage",
    "bleeding": "hemorrhage",
    "bowel": "intestine",
    "vena": "vein",
    "clavicula": "clavicle",
    "masses": "mass",
}

_VERTEBRAE = {
    "c": ("14806007", "39976000", "113205007", "5329002", "36978003", "36054005", "87391001"),
    "t": (
        *("64864005", "53733008", "1626008", "73071006", "56401006", "45296009"),
        *("62487009", "11068009", "82687006", "7610001", "12989004", "23215003"),
    ),
    "l": ("66794005", "14293000", "36470004", "11994002", "49668003"),
    "s": ("65985001",),
}
_RIBS = (
    *("48535007", "78247007", "25888004", "25523003", "15339008", "59558009"),
    *("24915002", "5953002", "22565002", "77644006", "58830002", "43993008"),
)
_ORDINALS = (
    *("First", "Second", "Third", "Fourth", "Fifth", "Sixth"),
    *("Seventh", "Eighth", "Ninth", "Tenth", "Eleventh", "Twelfth"),
)


@cache
def numbered_bones() -> Mapping[frozenset[str], Named]:
    """Return vertebrae and ribs by their words: ``{"vertebra", "l", "3"}``, ``{"rib", "7"}``."""
    table: dict[frozenset[str], Named] = {}
    for letter, codes in _VERTEBRAE.items():
        for number, code in enumerate(codes, start=1):
            named = (code, f"{letter.upper()}{number} vertebra")
            for word in ("vertebra", "vertebrae"):
                table[frozenset({word, letter, str(number)})] = named
            table[frozenset({letter, str(number)})] = named
    for number, code in enumerate(_RIBS, start=1):
        table[frozenset({"rib", str(number)})] = (code, f"{_ORDINALS[number - 1]} rib")
    return table
