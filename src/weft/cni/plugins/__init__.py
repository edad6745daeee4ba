"""One folder for each plugin: README, config, model, plan, plugin."""
