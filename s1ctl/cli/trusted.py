"""The trust that a site's ledger remembers."""

from s1ctl.errors import NotVerified
from s1ctl.ledger.ledger import Ledger
from s1ctl.site.config import TrustPolicy
from s1ctl.trust.root import Trust, first_root


def remembered_trust(ledger: Ledger, policy: TrustPolicy) -> Trust:
    """Read the root that this site trusts. Raises `NotVerified` S1-T10 where there is none."""
    raw = ledger.trust.root(policy.product)
    if raw is None:
        raise NotVerified(
            f"this site trusts no root for `{policy.product}` yet, as its state directory knows it",
            code="S1-T10",
            hint="see that `state_dir` and `trust.product` are right; on a new site run"
            " `s1ctl trust init --root FILE --fingerprint HEX`, with the number that the vendor"
            " gave you by another way",
        )
    return Trust(product=policy.product, channel=policy.channel, root=first_root(raw, None))
