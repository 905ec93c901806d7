"""Labs of plain processes: no privilege, no namespace, nothing needed but Python."""
