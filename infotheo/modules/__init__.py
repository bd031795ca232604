"""Any torch module: its evaluation mode, its recorded layers, its last layer."""
