"""Drawings, one module each: data in, a Vega or Vega-Lite specification out."""
