from leasebot_pipeline.cli import app

app()
