"""The sizes of a change, called by their names in tables: how papers write them, and in what they are told."""

NAMES = {
    "l0": "L0",
    "l1": "L1",
    "l1-rescaled": "L1 (rescaled)",
    "l2": "L2",
    "linf": "L∞",
    "ciede2000": "CIEDE2000",
    "ms_ssim_loss": "1 − MS-SSIM",
    "cvvdp_loss": "cvvdp",
}
UNITS = {
    "l0": "share of pixels",
    "l1": "grey levels",
    "l2": "grey levels",
    "linf": "grey levels",
    "ciede2000": "colour difference",
    "ms_ssim_loss": "lost similarity",
    "cvvdp_loss": "predicted loss of quality",
}


def named(measure: str) -> str:
    """linf -> L∞. What is no measure stays as it is."""
    return NAMES.get(measure, measure)
