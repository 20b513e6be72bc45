"""The mails of a demo, on a page of the platform's address: in development alone, where mails are written as files."""
