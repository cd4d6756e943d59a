"""Pictures of flows, as SVG."""
