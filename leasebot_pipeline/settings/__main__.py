"""``python -m leasebot_pipeline.settings``: writes .env.example and the tables of docs/configuration.md anew.

Run it in the project's directory after a variable was added or changed.
"""

from leasebot_pipeline.settings import render

render.ENV_EXAMPLE.write_text(render.env_example(), encoding="utf-8")
render.DOCUMENT.write_text(render.with_tables(render.DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
