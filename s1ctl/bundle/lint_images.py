"""What can be seen of the images together: their tags and platforms."""

from collections.abc import Iterator

from s1ctl.bundle.lint_finding import Finding
from s1ctl.bundle.lint_subject import Subject


def check_images(subject: Subject) -> Iterator[Finding]:
    """Check names and platforms of the images."""
    for name, (where, reference) in subject.references.items():
        if "@" not in reference and reference.rpartition(":")[2].split("/")[0] == "latest":
            yield Finding(
                id="image.tag",
                where=where,
                text=f"image `{name}` is `{reference}`, which means another image every day",
                advice="name a version or a digest",
            )
    common = set.intersection(*(set(image.platforms) for image in subject.images.values()))
    if not common:
        listed = "; ".join(
            f"`{name}`: {', '.join(image.platforms)}" for name, image in subject.images.items()
        )
        yield Finding(
            id="image.platform",
            where=subject.name,
            text=f"no platform has all images: {listed}",
            advice="build every image for the same platforms",
        )
