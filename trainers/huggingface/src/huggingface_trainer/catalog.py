"""What is known of a model before the library is imported: family, image processor, own input size, and how its output is read."""

from __future__ import annotations

from dataclasses import dataclass

#: Families whose detection scores come from a sigmoid per class; the others end in a softmax with a "no object" class.
_SIGMOID = ("rt_detr", "rt_detr_v2", "d_fine", "conditional_detr")


@dataclass(frozen=True)
class Entry:
    id: str
    task: str
    family: str
    #: stretch = to a square; crop = shorter edge, then centre; shrink = crop_pct of ConvNeXT; flipped = crop, blue first.
    processor: str
    size: int

    @property
    def sigmoid(self) -> bool:
        return self.family in _SIGMOID


_ROWS = """
resnet-nano            classify  resnet            shrink   64
resnet-18              classify  resnet            shrink   224
resnet-50              classify  resnet            shrink   224
convnext-tiny          classify  convnext          shrink   224
convnextv2-atto        classify  convnextv2        shrink   224
convnextv2-tiny        classify  convnextv2        shrink   224
vit-tiny               classify  vit               stretch  224
vit-base               classify  vit               stretch  224
deit-tiny              classify  deit              stretch  224
deit-small             classify  deit              stretch  224
swin-tiny              classify  swin              stretch  224
dinov2-small           classify  dinov2            crop     224
dinov2-base            classify  dinov2            crop     224
mobilevit-xx-small     classify  mobilevit         flipped  256
mobilevit-small        classify  mobilevit         flipped  256
rtdetr-nano            detect    rt_detr           stretch  160
rtdetr-r18             detect    rt_detr           stretch  640
rtdetr-r50             detect    rt_detr           stretch  640
rtdetrv2-r18           detect    rt_detr_v2        stretch  640
dfine-nano             detect    d_fine            stretch  640
dfine-small            detect    d_fine            stretch  640
detr-r50               detect    detr              stretch  640
conditional-detr-r50   detect    conditional_detr  stretch  640
yolos-tiny             detect    yolos             stretch  640
segformer-nano         semantic  segformer         stretch  160
segformer-b0           semantic  segformer         stretch  512
segformer-b1           semantic  segformer         stretch  512
upernet-convnext-tiny  semantic  upernet           stretch  512
upernet-swin-tiny      semantic  upernet           stretch  512
beit-base              semantic  beit              stretch  512
"""


def _entry(line: str) -> Entry:
    name, task, family, processor, size = line.split()
    return Entry(name, task, family, processor, int(size))


MODELS: dict[str, Entry] = {entry.id: entry for entry in map(_entry, _ROWS.strip().splitlines())}
