"""What was seen: tables with their units and schema version, the journal, the run's folder, the machine."""
