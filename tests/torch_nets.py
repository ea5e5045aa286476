"""ResNet and ViT in PyTorch under the names of torchvision and timm, small and with random weights; no tests here."""

import torch
from torch import nn

WIDTH, DIM, HEADS, DEPTH, PATCH, SIDE = 8, 192, 3, 2, 16, 4


class Block(nn.Module):
    """Two convolutions, or three with the stride in the 3x3 one, beside a shortcut."""

    def __init__(self, before, width, stride, bottleneck):
        super().__init__()
        after = width * (4 if bottleneck else 1)
        kernels = [(before, width, 1, 1), (width, width, 3, stride), (width, after, 1, 1)]
        kernels = kernels if bottleneck else [(before, width, 3, stride), (width, width, 3, 1)]
        self.count = len(kernels)
        for i, (a, b, kernel, step) in enumerate(kernels, 1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        branch = x
        for i in range(1, self.count + 1):
            branch = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(branch))
            branch = branch if i == self.count else branch.relu()
        return (branch + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    def __init__(self, depths, bottleneck):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTH)
        self.maxpool, before = nn.MaxPool2d(3, 2, 1), WIDTH
        for stage, depth in enumerate(depths):
            blocks = []
            for block in range(depth):
                width, stride = WIDTH * 2**stage, 2 if stage and not block else 1
                blocks.append(Block(before, width, stride, bottleneck))
                before = width * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        _disturb(self)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)

    def forward(self, x):
        n, tokens, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (DIM // HEADS) ** -0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, tokens, DIM))


class TimmBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(DIM, 1e-6), Attention(), nn.LayerNorm(DIM, 1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(DIM, 4 * DIM), "fc2": nn.Linear(4 * DIM, DIM)})

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp["fc2"](nn.functional.gelu(self.mlp["fc1"](self.norm2(x))))


class ViT(nn.Module):
    """The layout of timm, DINO and MAE."""

    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, DIM))
        self.pos_embed = nn.Parameter(torch.zeros(1, SIDE**2 + 1, DIM))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, DIM, PATCH, PATCH)})
        self.blocks = nn.Sequential(*(TimmBlock() for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(DIM, 1e-6)
        _disturb(self)

    def forward(self, x):
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.norm(self.blocks(x))[:, 0]


class TorchvisionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(DIM, 1e-6), nn.LayerNorm(DIM, 1e-6)
        self.self_attention = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
        layers = [nn.Linear(DIM, 4 * DIM), nn.GELU(), nn.Dropout(0.0), nn.Linear(4 * DIM, DIM), nn.Dropout(0.0)]
        self.mlp = nn.Sequential(*layers)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class TorchvisionViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, DIM))
        self.conv_proj = nn.Conv2d(3, DIM, PATCH, PATCH)
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(torch.zeros(1, SIDE**2 + 1, DIM))
        self.encoder.layers = nn.ModuleDict({f"encoder_layer_{i}": TorchvisionBlock() for i in range(DEPTH)})
        self.encoder.ln = nn.LayerNorm(DIM, 1e-6)
        _disturb(self)

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.encoder.pos_embedding
        for block in self.encoder.layers.values():
            x = block(x)
        return self.encoder.ln(x)[:, 0]


def _disturb(net):
    """Moves every weight and statistic from its start, zeros and ones among them."""
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.1 if "var" in name else torch.randn_like(value) * 0.05)


def resnet18():
    return ResNet((2, 2, 2, 2), False)


def resnet50():
    return ResNet((3, 4, 6, 3), True)


vit, torchvision_vit = ViT, TorchvisionViT
