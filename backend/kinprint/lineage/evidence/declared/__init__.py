"""What the models say of themselves, beside what was measured."""
