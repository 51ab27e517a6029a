"""What procedures may ask of the world. Views cannot change it; powers can."""
