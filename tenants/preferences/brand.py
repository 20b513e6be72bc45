"""The tenant's brand as one CSS rule. Values are checked here again: a hex colour and two numbers, nothing else."""

import re

from tenants.preferences.models import Preferences


def brand_css(preferences: Preferences) -> str:
    """Return the stylesheet that overrides the brand tokens, empty if the tenant chose nothing."""
    declarations = []
    if re.fullmatch(r"#[0-9a-f]{6}", preferences.brand_colour):
        declarations.append(f"--px-brand: {preferences.brand_colour};")
    if preferences.brand_tint is not None and 0 <= preferences.brand_tint <= 360:
        declarations.append(f"--px-tint: {preferences.brand_tint:d};")
    if preferences.brand_roundness is not None and 0 <= preferences.brand_roundness <= 1.5:
        declarations.append(f"--px-round: {preferences.brand_roundness:g};")
    return f":root {{ {' '.join(declarations)} }}\n" if declarations else ""
