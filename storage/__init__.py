"""A tenant's bucket in object storage."""
