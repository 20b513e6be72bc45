from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q


class Preferences(models.Model):
    """The one row of a tenant's settings."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField(max_length=120)
    language = models.CharField(max_length=8, blank=True)  # empty: each person's browser decides
    time_zone = models.CharField(max_length=64, default="UTC")
    theme = models.CharField(max_length=8, default="light", choices=[("light", "light"), ("dark", "dark")])
    brand_colour = models.CharField(max_length=7, blank=True, validators=[RegexValidator(r"^#[0-9a-f]{6}$")])
    brand_tint = models.PositiveSmallIntegerField(null=True, validators=[MaxValueValidator(360)])
    brand_roundness = models.FloatField(null=True, validators=[MinValueValidator(0), MaxValueValidator(1.5)])
    two_factor_required = models.BooleanField(default=False, db_default=False)  # of everybody who signs in
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="preferences_one_row"),
            models.CheckConstraint(
                condition=Q(brand_colour="") | Q(brand_colour__regex="^#[0-9a-f]{6}$"), name="preferences_colour_form"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_brand(self) -> bool:
        """Whether a brand stylesheet is worth sending."""
        return bool(self.brand_colour) or self.brand_tint is not None or self.brand_roundness is not None
