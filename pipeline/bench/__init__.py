"""Many backbones and heads: scheduled, run and ranked."""
