"""The decisive experiment: weights under another model's keys, and a noisy twin to compare with."""
