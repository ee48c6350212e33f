"""What users see: text, pictures, plots and widgets of traces, findings and reports."""
