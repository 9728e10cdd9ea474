"""Settings, from the command line, the environment, a TOML file and Python."""
