"""Configs of the listed models, written here: nothing is fetched, every weight starts random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import (
    BeitConfig,
    BeitForSemanticSegmentation,
    ConditionalDetrConfig,
    ConditionalDetrForObjectDetection,
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextV2Config,
    ConvNextV2ForImageClassification,
    DeiTConfig,
    DeiTForImageClassification,
    DetrConfig,
    DetrForObjectDetection,
    DFineConfig,
    DFineForObjectDetection,
    Dinov2Config,
    Dinov2ForImageClassification,
    HGNetV2Config,
    MobileViTConfig,
    MobileViTForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    RTDetrV2Config,
    RTDetrV2ForObjectDetection,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SwinConfig,
    SwinForImageClassification,
    UperNetConfig,
    UperNetForSemanticSegmentation,
    ViTConfig,
    ViTForImageClassification,
    YolosConfig,
    YolosForObjectDetection,
)

#: family -> (config class, model class). Concrete classes: the Auto classes look for a repository first.
CLASSES: dict[str, tuple[Any, Any]] = {
    "resnet": (ResNetConfig, ResNetForImageClassification),
    "convnext": (ConvNextConfig, ConvNextForImageClassification),
    "convnextv2": (ConvNextV2Config, ConvNextV2ForImageClassification),
    "vit": (ViTConfig, ViTForImageClassification),
    "deit": (DeiTConfig, DeiTForImageClassification),
    "swin": (SwinConfig, SwinForImageClassification),
    "dinov2": (Dinov2Config, Dinov2ForImageClassification),
    "mobilevit": (MobileViTConfig, MobileViTForImageClassification),
    "rt_detr": (RTDetrConfig, RTDetrForObjectDetection),
    "rt_detr_v2": (RTDetrV2Config, RTDetrV2ForObjectDetection),
    "d_fine": (DFineConfig, DFineForObjectDetection),
    "detr": (DetrConfig, DetrForObjectDetection),
    "conditional_detr": (ConditionalDetrConfig, ConditionalDetrForObjectDetection),
    "yolos": (YolosConfig, YolosForObjectDetection),
    "segformer": (SegformerConfig, SegformerForSemanticSegmentation),
    "upernet": (UperNetConfig, UperNetForSemanticSegmentation),
    "beit": (BeitConfig, BeitForSemanticSegmentation),
}

#: Trap (contract.md 13.3): RT-DETR, RT-DETRv2 and D-FINE freeze the batch norms of a backbone, which then cannot learn from random
#: weights. Off here; weights that come with their own config keep their own word.
_FREE = {"freeze_backbone_batch_norms": False}
_BASIC = {"layer_type": "basic", "downsample_in_bottleneck": False, "downsample_in_first_stage": False}


def config_of(model: str, size: int, names: tuple[str, ...]) -> Any:
    """The model's config for these classes and this input size; batch norms free to learn."""
    make, options = _MODELS[model]
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    return make(**options(size) if callable(options) else options, **labels)


def _resnet(**options: Any) -> Any:
    return ResNetConfig(out_features=["stage4"], **options)


def _rtdetr_backbone(hidden: list[int], depths: list[int], **options: Any) -> Any:
    return RTDetrResNetConfig(hidden_sizes=hidden, depths=depths, out_features=["stage2", "stage3", "stage4"], **options)


def _small_rtdetr() -> dict[str, Any]:
    return {
        "backbone_config": _rtdetr_backbone([16, 32, 64, 96], [1, 1, 1, 1], embedding_size=16, **_BASIC),
        "encoder_in_channels": [32, 64, 96], "d_model": 64, "encoder_hidden_dim": 64, "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "decoder_layers": 2,
        "decoder_in_channels": [64, 64, 64], "hidden_expansion": 0.5, "num_queries": 30, "num_denoising": 20,
        **_FREE,
    }  # fmt: skip


def _rtdetr_r18() -> dict[str, Any]:
    return {
        "backbone_config": _rtdetr_backbone([64, 128, 256, 512], [2, 2, 2, 2], embedding_size=64, **_BASIC),
        "encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5, "decoder_layers": 3, **_FREE,
    }  # fmt: skip


def _dfine(stem: list[int], mid: list[int], outs: list[int], layers: list[int], levels: int, **options: Any) -> dict[str, Any]:
    features = ["stage2", "stage3", "stage4"][-levels:]
    backbone = HGNetV2Config(
        stem_channels=[3, stem[0], stem[1]], stage_in_channels=[stem[1], *outs[:-1]], stage_mid_channels=mid, stage_out_channels=outs,
        stage_num_blocks=[1, 1, 2, 1], stage_numb_of_layers=layers, hidden_sizes=outs, depths=[1, 1, 2, 1],
        use_learnable_affine_block=True, out_features=features,
    )  # fmt: skip
    width = options.pop("width")
    return {
        "backbone_config": backbone, "encoder_in_channels": outs[-levels:], "feat_strides": [8, 16, 32][-levels:], "num_feature_levels": levels,
        "encode_proj_layers": [levels - 1], "d_model": width, "encoder_hidden_dim": width, "decoder_in_channels": [width] * levels,
        **_FREE, **options,
    }  # fmt: skip


def _vit(width: int, heads: int) -> Callable[[int], dict[str, Any]]:
    return lambda size: {"image_size": size, "hidden_size": width, "num_attention_heads": heads, "intermediate_size": 4 * width}


def _segformer(widths: list[int], depths: list[int], decoder: int) -> dict[str, Any]:
    return {"hidden_sizes": widths, "depths": depths, "decoder_hidden_size": decoder, "semantic_loss_ignore_index": 255}


def _upernet(backbone: Any, channels: int) -> dict[str, Any]:
    return {"backbone_config": backbone, "auxiliary_in_channels": channels, "loss_ignore_index": 255, "hidden_size": 512}


_STAGES = ["stage1", "stage2", "stage3", "stage4"]
_NANO = {"embedding_size": 16, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1], "layer_type": "basic"}
_R18 = {"embedding_size": 64, "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic"}

#: id -> (config class, options or a function of the input size)
_MODELS: dict[str, tuple[Any, Any]] = {
    "resnet-nano": (ResNetConfig, _NANO),
    "resnet-18": (ResNetConfig, _R18),
    "resnet-50": (ResNetConfig, {}),
    "convnext-tiny": (ConvNextConfig, {}),
    "convnextv2-atto": (ConvNextV2Config, {"hidden_sizes": [40, 80, 160, 320], "depths": [2, 2, 6, 2]}),
    "convnextv2-tiny": (ConvNextV2Config, {}),
    "vit-tiny": (ViTConfig, _vit(192, 3)),
    "vit-base": (ViTConfig, _vit(768, 12)),
    "deit-tiny": (DeiTConfig, _vit(192, 3)),
    "deit-small": (DeiTConfig, _vit(384, 6)),
    "swin-tiny": (SwinConfig, lambda size: {"image_size": size}),
    "dinov2-small": (Dinov2Config, lambda size: {"image_size": size, "patch_size": 14, "hidden_size": 384, "num_attention_heads": 6}),
    "dinov2-base": (Dinov2Config, lambda size: {"image_size": size, "patch_size": 14}),
    "mobilevit-xx-small": (
        MobileViTConfig,
        lambda size: {
            "image_size": size, "hidden_sizes": [64, 80, 96], "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320], "expand_ratio": 2.0,
        },
    ),
    "mobilevit-small": (MobileViTConfig, lambda size: {"image_size": size}),
    "rtdetr-nano": (RTDetrConfig, lambda _: _small_rtdetr()),
    "rtdetr-r18": (RTDetrConfig, lambda _: _rtdetr_r18()),
    "rtdetr-r50": (RTDetrConfig, _FREE),
    "rtdetrv2-r18": (RTDetrV2Config, lambda _: _rtdetr_r18()),
    "dfine-nano": (
        DFineConfig,
        lambda _: _dfine(
            [16, 16], [16, 32, 64, 128], [64, 256, 512, 1024], [3, 3, 3, 3], 2, width=128, encoder_ffn_dim=512, decoder_ffn_dim=512,
            decoder_layers=3, decoder_n_points=[6, 6], hidden_expansion=0.34, depth_mult=0.5,
        ),
    ),
    "dfine-small": (
        DFineConfig,
        lambda _: _dfine(
            [16, 16], [16, 32, 64, 128], [64, 256, 512, 1024], [3, 3, 3, 3], 3, width=256, decoder_layers=3, decoder_n_points=[3, 6, 3],
            hidden_expansion=0.5, depth_mult=0.34,
        ),
    ),
    # Trap (13.3): without a backbone of its own, DETR asks timm for a pretrained one.
    "detr-r50": (DetrConfig, lambda _: {"backbone_config": _resnet()}),
    "conditional-detr-r50": (ConditionalDetrConfig, lambda _: {"backbone_config": _resnet()}),
    "yolos-tiny": (
        YolosConfig,
        lambda size: {
            "image_size": [size, size], "hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768,
            "use_mid_position_embeddings": False,
        },
    ),
    # Too small to be held back by dropping parts of it; widths of 16 need larger first weights than those of hundreds, or it stays at the
    # background for twenty epochs (measured).
    "segformer-nano": (
        SegformerConfig,
        {**_segformer([16, 32, 48, 64], [1, 1, 1, 1], 64), "drop_path_rate": 0.0, "classifier_dropout_prob": 0.0, "initializer_range": 0.1},
    ),
    "segformer-b0": (SegformerConfig, _segformer([32, 64, 160, 256], [2, 2, 2, 2], 256)),
    "segformer-b1": (SegformerConfig, _segformer([64, 128, 320, 512], [2, 2, 2, 2], 256)),
    "upernet-convnext-tiny": (UperNetConfig, lambda _: _upernet(ConvNextConfig(hidden_sizes=[96, 192, 384, 768], out_features=_STAGES), 384)),
    "upernet-swin-tiny": (UperNetConfig, lambda size: _upernet(SwinConfig(image_size=size, out_features=_STAGES), 384)),
    "beit-base": (
        BeitConfig,
        lambda size: {
            "image_size": size, "use_relative_position_bias": True, "use_mean_pooling": True, "layer_scale_init_value": 0.1,
            "drop_path_rate": 0.1, "semantic_loss_ignore_index": 255, "out_indices": [3, 5, 7, 11],
        },
    ),
}  # fmt: skip
