"""The key to a tenant's bucket: its row, and how it is made, waited for and replaced."""
