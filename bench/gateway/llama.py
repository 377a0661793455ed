"""Serve a GGUF file with xllamacpp: `python llama.py FILE PORT`, in an environment of its own."""

from __future__ import annotations

import sys
import threading

import xllamacpp

# The model's own template says nothing of tools: this one, in its form, lists them first, as larger models' do.
_TEMPLATE = """\
{%- if tools %}<|im_start|>system
You can call these functions:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[2])
params.n_ctx, params.n_parallel = 8_192, 1
params.use_jinja, params.chat_template = True, _TEMPLATE
params.cache_ram_mib = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
threading.Event().wait()
