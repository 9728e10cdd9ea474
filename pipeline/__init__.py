"""Whether, where and in what order the stages run: settings, the workspace, the command line."""
