"""A stand-in for the Hugging Face Hub, over TLS, for tests and the demo.

with HubStandIn() as hub:
    repo = hub.repo("acme/original", card={"base_model": "acme/older"})
    sha = repo.commit({"model.safetensors": Path("model.safetensors")})
    hub.faults.status(503, "acme/original/*", times=2)
    subprocess.run([...], env=hub.environ())
    assert hub.log.bytes_sent(origin="cdn") < 2_000_000
"""

from hub_standin.access import User
from hub_standin.faults import Faults
from hub_standin.hub import HubStandIn
from hub_standin.rate_limits import Quota
from hub_standin.repo import Commit, Repo
from hub_standin.request_log import RequestLog, Seen
from hub_standin.stored import Stored

__all__ = [
    "Commit",
    "Faults",
    "HubStandIn",
    "Quota",
    "Repo",
    "RequestLog",
    "Seen",
    "Stored",
    "User",
]
