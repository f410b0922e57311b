"""What people send: forms, files and specs."""
