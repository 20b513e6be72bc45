"""The tenant's brand as one CSS rule. Values are checked here again: a hex colour and two numbers, nothing else."""

import re

from tenants.preferences.models import Preferences

PLATFORM_COLOUR = "#0a6c70"
DARK_BELOW = 0.183  # WCAG luminance under which white text reads better than black: never under 4.5:1


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


def button_colours(colour: str) -> dict[str, str]:
    """Return ground and text of a button for where no stylesheet reaches: the brand's colour, with text that can be read."""
    ground = colour if re.fullmatch(r"#[0-9a-f]{6}", colour) else PLATFORM_COLOUR
    red, green, blue = (_linear(int(ground[at : at + 2], 16) / 255) for at in (1, 3, 5))
    is_dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < DARK_BELOW
    return {"ground": ground, "text": "#ffffff" if is_dark else "#000000"}


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
