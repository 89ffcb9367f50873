"""What is measured: one file per family of losses, each loss one `Loss` value, no machinery."""
