"""What tests share: databases, people, visitors."""
