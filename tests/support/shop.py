"""A foreign platform that obeys the written contract only: recipes of `shop` in three releases."""

from pathlib import Path

from tests.support.images import Image, base_layer, make_image, make_layer, write_layout

APP = (Path(__file__).parent / "platform" / "app.py").read_bytes()
BROKEN = "1.2.0"
SOURCES = {"1.0.0": "", "1.1.0": ">=1.0,<1.1", BROKEN: ">=1.0,<1.2"}
RECIPE = """\
format: 1
product: shop
channel: stable
version: "{version}"
sequence: {sequence}
images:
  all: {{oci-layout: ../images, name: "all:1", repository: all}}
compose: compose.yaml
settings:
  - {{name: edge_port, kind: port, required: true, note: "where the edge listens"}}
  - {{name: token, kind: secret, generate: 24}}
upgrade: {{from: "{sources}"}}
"""
COMPOSE = """\
services:
  web:
    image: all
    command: [python3, /app.py]
    environment: {{VERSION: "{version}", WHAT: "{what}"}}
    secrets: [token]
    stop_grace_period: 10s
    x-s1ctl:
      role: app
      health: {{port: 8080, ready: /ready, live: /live, version: /version}}
      drain_s: 5
  edge:
    image: all
    command: [nginx, -c, /etc/edge.conf, -g, "daemon off;"]
    configs: [{{source: edge, target: /etc/edge.conf}}]
    network_mode: host
    stop_grace_period: 20s
    depends_on: [web]
    x-s1ctl:
      role: edge
      health: {{port: "${{edge_port}}", ready: /edge/ready, version: /edge/version}}
      upstreams: /etc/upstreams
secrets: {{token: {{file: ./token}}}}
configs:
  edge:
    content: |
      worker_processes 1;
      pid /tmp/edge.pid;
      error_log /dev/stderr;
      events {{ worker_connections 512; }}
      http {{
        access_log off;
        include /etc/upstreams/*.conf;
        server {{
          listen ${{edge_port}} reuseport;
          location = /edge/ready {{ return 200 "ready"; }}
          location = /edge/version {{ return 200 "{version}"; }}
          location / {{ proxy_pass http://web; proxy_next_upstream off; }}
        }}
      }}
"""


def shop_image() -> Image:
    """Make the one image of the platform: nginx and the app."""
    return make_image([base_layer(), make_layer({"/app.py": APP})], command=["python3", "/app.py"])


def write_shop(folder: Path) -> dict[str, Path]:
    """Write the vendor's project; answer the recipe of each release."""
    write_layout(folder / "images", {"all:1": shop_image()})
    recipes = {}
    for sequence, (version, sources) in enumerate(SOURCES.items(), start=1):
        home = folder / version
        home.mkdir()
        what = "broken" if version == BROKEN else "good"
        (home / "compose.yaml").write_text(COMPOSE.format(version=version, what=what))
        recipe = RECIPE.format(version=version, sequence=sequence, sources=sources)
        (home / "recipe.yaml").write_text(recipe)
        recipes[version] = home / "recipe.yaml"
    return recipes
