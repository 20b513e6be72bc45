"""Something that people may do things to, with a hundred permissions of its own."""

from django.db import models


class Thing(models.Model):
    name = models.CharField(max_length=80)

    class Meta:
        permissions = [(f"act{number}", f"Act {number}") for number in range(100)]

    def __str__(self) -> str:
        return self.name
