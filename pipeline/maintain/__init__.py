"""What lies in the workspace: listed, verified, tidied."""
