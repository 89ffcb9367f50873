"""Many machines: the cells of a run spread over the nodes of a Ray cluster. Ray is imported in `rays` alone."""
