"""From fingerprints to a verdict with its evidence."""
