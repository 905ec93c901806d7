"""The probe: runs beside the subject and reads the kernel's truth. Standard library only."""
