"""The evidence behind a verdict, section by section; each stands without the others."""
