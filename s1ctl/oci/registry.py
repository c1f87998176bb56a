"""A registry by the OCI distribution protocol: blobs and manifests, in, out and away."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.oci import cause
from s1ctl.oci.call import Call, Deadlines, Revealable
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import INDEX_TYPES, MANIFEST_TYPES, MAX_BYTES
from s1ctl.oci.proxy import STRAIGHT, Proxies
from s1ctl.oci.reference import check_repository, check_tag
from s1ctl.oci.refusal import Answer
from s1ctl.oci.retry import Patience
from s1ctl.oci.wire import Wire

MAX_SMALL_BYTES = 16 << 20
ANY_STATUS = set(range(200, 600))
BREAK_S = 0.3  # a registry that still digests a broken PUT would write after the DELETE
ACCEPT = {"Accept": ", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES))}


class Registry:
    """The registry at `https://HOST:PORT`; safe to use from several threads.

    `ca` is a file of certificates that replaces the system's; a path in `url` is left out, it
    prefixes repositories. `proxies` lead to it or not; the environment is never read here. What
    may pass by itself is tried again within `patience`; every method raises `InputOutputFailed`
    S1-R.. by cause.
    """

    def __init__(
        self,
        url: str,
        *,
        ca: Path | None = None,
        user: str | None = None,
        password: Revealable | None = None,
        proxies: Proxies = STRAIGHT,
        deadlines: Deadlines | None = None,
        patience: Patience | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._wire = Wire(
            f"{parts.scheme}://{parts.netloc}",
            ca=ca,
            user=user,
            password=password,
            proxies=proxies,
            deadlines=deadlines or Deadlines(),
            patience=patience or Patience(),
            pause=pause,
        )

    @property
    def setbacks(self) -> int:
        """How often something failed so far that may pass by itself: busy, timed out, broken."""
        return self._wire.setbacks

    @property
    def way(self) -> str:
        """Say through which proxy it is asked, to be put behind a sentence; empty: through none."""
        return f", through the proxy {self._wire.proxy}" if self._wire.proxy else ""

    def ping(self) -> str:
        """Ask whether this is a registry that lets us in; say how: `none`, `basic` or `bearer`."""
        answer = self._wire.ask(self._call("GET", "/v2/"), hoped={200, 400, 404})
        if answer.status == 400 and answer.url.startswith("http:"):
            raise cause.not_plain(self.host)
        if answer.status != 200 or "html" in answer.headers.get("Content-Type", ""):
            raise InputOutputFailed(
                f"{answer.said}, so it is not a registry",
                code="S1-R05",
                hint="correct `registry.url` in the site file: scheme, host and port",
            )
        return self._wire.scheme

    def date(self) -> datetime | None:
        """Ask once for the registry's own time, let in or not; None where it says none."""
        answer = self._wire.ask_once(self._call("GET", "/v2/"), hoped=ANY_STATUS)
        try:
            said = parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            return None
        return said if said.tzinfo else said.replace(tzinfo=UTC)

    def has_blob(self, repository: str, digest: Digest, size: int | None = None) -> bool:
        """Ask whether `repository` holds the blob; one of another `size` is not it.

        A registry whose disk was full may know a blob by an empty link, and answer 500 for it
        from then on; it is not there, and sending it mends the link.
        """
        call = self._call("HEAD", _blob_path(repository, digest), _pull(repository))
        answer = self._wire.ask_a_little(call, hoped={200, 404}, at_last={500})
        said = answer.headers.get("Content-Length")
        is_whole = size is None or said in {str(size), None}
        return is_whole and self._has(answer, digest)

    def _has(self, answer: Answer, digest: Digest) -> bool:
        return answer.status == 200 and self._digest_said(answer) in {digest, None}

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Take the blob over from the repository `source`; False: send it instead."""
        query = urlencode({"mount": digest, "from": check_repository(source)})
        path = f"{_uploads_path(repository)}?{query}"
        call = self._call("POST", path, _push(repository), _pull(source))
        answer = self._wire.ask(call, hoped={201, 202, 400, 401, 403, 404, 405})
        if answer.status == 202:
            self._cancel(repository, self._wire.target(answer))
        return answer.status == 201

    def upload_blob(
        self, repository: str, digest: Digest, size: int, chunks: Iterable[bytes]
    ) -> None:
        """Send a blob in one PUT; when this fails the upload is given up, and no blob is there.

        `chunks` is iterated once for each try, so an iterator is tried only once. The last chunk
        is sent only after `chunks` ended without raising: who checks a digest while reading stops
        the upload by raising at the end. Raises `ContentsRefused` S1-C52 where the size is wrong.
        """
        look = self._call("HEAD", _blob_path(repository, digest), _pull(repository))
        known = {200, 404, 500}

        def attempt(number: int) -> None:
            if number == 1 or not self._has(self._wire.ask_once(look, hoped=known), digest):
                self._upload(repository, digest, size, chunks)

        self._wire.retry(attempt, tries=1 if isinstance(chunks, Iterator) else None)

    def read_blob(self, repository: str, digest: Digest) -> bytes:
        """Read a blob of at most 16 MiB, checked against its digest."""
        raw = bytearray()
        for chunk in self.open_blob(repository, digest):
            raw += chunk
            if len(raw) > MAX_SMALL_BYTES:
                raise self._too_long(f"blob `{digest}`", MAX_SMALL_BYTES)
        return bytes(raw)

    def open_blob(self, repository: str, digest: Digest) -> Iterator[bytes]:
        """Yield a blob of any size; raises at its end when the bytes are not those of `digest`."""
        call = self._call("GET", _blob_path(repository, digest), _pull(repository))
        chunks = self._wire.stream(call)
        if chunks is None:
            raise self._missing(f"blob `{digest}` in `{repository}`")
        hasher = hashlib.sha256()
        for chunk in chunks:
            hasher.update(chunk)
            yield chunk
        self._check_digest(f"sha256:{hasher.hexdigest()}", digest)

    def has_manifest(
        self, repository: str, reference: str, *, is_to_be_sent: bool = False
    ) -> Digest | None:
        """Ask for the digest under a tag or digest; None where there is nothing.

        Who would send it anyway takes a 500 for nothing, too: see `has_blob`.
        """
        call = self._call("HEAD", _manifest_path(repository, reference), _pull(repository))
        call = replace(call, headers=ACCEPT)
        if is_to_be_sent:
            answer = self._wire.ask_a_little(call, hoped={200, 404}, at_last={500})
        else:
            answer = self._wire.ask(call, hoped={200, 404})
        if answer.status != 200:
            return None
        said = self._digest_said(answer)
        return said or Digest.of(self.read_manifest(repository, reference)[0])

    def read_manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Read a manifest or index and its media type; checked where `reference` is a digest."""
        call = self._call("GET", _manifest_path(repository, reference), _pull(repository))
        answer = self._wire.ask(
            replace(call, headers=ACCEPT, max_bytes=MAX_BYTES), hoped={200, 404}
        )
        if answer.status == 404:
            raise self._missing(f"`{reference}` in `{repository}`")
        if len(answer.body) > MAX_BYTES:
            raise self._too_long(f"manifest `{reference}`", MAX_BYTES)
        if ":" in reference:
            self._check_digest(Digest.of(answer.body), Digest(reference))
        return answer.body, answer.headers.get("Content-Type", "").partition(";")[0].strip()

    def put_manifest(self, repository: str, reference: str, raw: bytes, media_type: str) -> Digest:
        """Store a manifest under a tag or its digest; everything that it names must be there."""
        call = self._call("PUT", _manifest_path(repository, reference), _push(repository))
        headers = {"Content-Type": media_type}
        answer = self._wire.ask(
            replace(call, headers=headers, body=raw, is_commit=True), hoped={200, 201}
        )
        digest = Digest.of(raw)
        self._check_digest(self._digest_said(answer), digest)
        return digest

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete a manifest and the tags that name it; False: this registry deletes nothing.

        One that is not there counts as deleted. Its blobs stay until the registry's own garbage
        collection.
        """
        return self._delete(repository, digest)

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag and leave its manifest; False: this registry deletes no tags alone."""
        return self._delete(repository, tag)

    def _delete(self, repository: str, reference: str) -> bool:
        call = self._call("DELETE", _manifest_path(repository, reference), _delete(repository))
        refused = {405} if ":" in reference else {400, 405}  # 400: no digest, older Distribution
        answer = self._wire.ask(call, hoped={200, 202, 204, 404, *refused})
        return answer.status not in refused

    def _upload(self, repository: str, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        start = self._call("POST", _uploads_path(repository), _push(repository))
        location = self._wire.target(self._wire.ask_once(start, hoped={202}))
        if location is None:
            raise cause.nonsense(self.host, "no `Location` for an upload")
        call = replace(
            start,
            method="PUT",
            url=location + ("&" if "?" in location else "?") + urlencode({"digest": digest}),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
            body=_exactly(self._readable(chunks, digest), digest, size),
            is_commit=True,
        )
        try:
            answer = self._wire.ask_once(call, hoped={201, 204})
            self._check_digest(self._digest_said(answer), digest)
        except BaseException:
            self._wire.pause(BREAK_S)
            self._cancel(repository, location)
            raise

    def _cancel(self, repository: str, location: str | None) -> None:
        """Give an upload up; a registry that does not hear it forgets the upload by itself."""
        call = replace(self._call("DELETE", "", _push(repository)), url=location or "")
        with suppress(InputOutputFailed):
            self._wire.ask_once(call, hoped={202, 204, 404})

    def _readable(self, chunks: Iterable[bytes], digest: Digest) -> Iterator[bytes]:
        """Tell what cannot be read from what cannot be sent: both are `OSError`s."""
        try:
            yield from chunks
        except OSError as error:
            raise InputOutputFailed(
                f"`{digest}` cannot be read to be sent: {error.strerror}",
                code="S1-R19",
                hint="check the medium, then run the command again: only what lacks is sent",
            ) from None

    def _call(self, method: str, path: str, *scopes: str) -> Call:
        return Call(method=method, url=self._wire.base + path, scopes=scopes)

    def _digest_said(self, answer: Answer) -> Digest | None:
        said = answer.headers.get("Docker-Content-Digest")
        try:
            return Digest(said) if said else None
        except ValueError:
            raise cause.nonsense(self.host, f"the digest `{said}`") from None

    def _check_digest(self, found: str | None, digest: Digest) -> None:
        if found not in {digest, None}:
            raise InputOutputFailed(
                f"`{self.host}` answers `{found}` where `{digest}` was expected",
                code="S1-R14",
                hint="check the registry's disk and the proxies before it, then run it again",
            )

    def _missing(self, what: str) -> InputOutputFailed:
        return InputOutputFailed(
            f"`{self.host}` does not hold {what}",
            code="S1-R21",
            hint="check the name, or run `s1ctl load FILE`",
        )

    def _too_long(self, what: str, allowed: int) -> InputOutputFailed:
        return InputOutputFailed(
            f"`{self.host}` sends more than {allowed} bytes for {what}",
            code="S1-R20",
            hint="make sure that `registry.url` names a registry",
        )


def _exactly(chunks: Iterable[bytes], digest: Digest, size: int) -> Iterator[bytes]:
    """Hand on `size` bytes; the last chunk waits until `chunks` has ended well."""
    left, held = size, b""
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            break
        if held:
            yield held
        held = chunk
    if left:
        raise ContentsRefused(
            f"`{digest}` has {'more' if left < 0 else 'less'} than the {size} bytes it should have",
            code="S1-C52",
            hint="run `s1ctl bundle verify FILE`, and tell the vendor its output",
        )
    if held:
        yield held


def _blob_path(repository: str, digest: Digest) -> str:
    return f"/v2/{check_repository(repository)}/blobs/{digest}"


def _uploads_path(repository: str) -> str:
    return f"/v2/{check_repository(repository)}/blobs/uploads/"


def _manifest_path(repository: str, reference: str) -> str:
    name = Digest(reference) if ":" in reference else check_tag(reference)
    return f"/v2/{check_repository(repository)}/manifests/{name}"


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _delete(repository: str) -> str:
    return f"repository:{repository}:pull,delete"
