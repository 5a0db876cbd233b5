"""The re-enactment of the Llama3-V case: its cast of checkpoints, and the play itself."""
