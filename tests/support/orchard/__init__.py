"""A tenant's app that exists in tests alone; each test writes its migrations into a folder of its own."""
