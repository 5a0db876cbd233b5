"""The words of a report in each language, and strangers' text made harmless."""
