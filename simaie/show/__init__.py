"""Pictures in text: pure functions of a trace, of findings, of a report."""
