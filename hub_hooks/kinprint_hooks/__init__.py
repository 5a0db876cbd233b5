"""What Kinprint does on the Hub by itself: webhooks, watching, flags and notifications."""
