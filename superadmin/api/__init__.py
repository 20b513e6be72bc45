"""The platform's API: for operators and for machines that act for them."""
