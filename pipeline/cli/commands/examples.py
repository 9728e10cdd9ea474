"""Command lines that help shows, and the commands whose settings identify what is cached."""

EXAMPLES = {
    "init": ("frostline init photos", "frostline init reviews.csv --target sentiment --out reviews.toml"),
    "doctor": ("frostline doctor", "frostline doctor --json"),
    "completion": (
        "frostline completion bash > frostline.bash; source frostline.bash",
        "frostline completion fish > ~/.config/fish/completions/frostline.fish",
    ),
    "run": (
        "frostline run --dataset folder:photos --backbone resnet50 --head logreg,knn",
        "frostline run --dataset csv:reviews.csv --backbone st:all-MiniLM-L6-v2",
    ),
    "extract": (
        "frostline extract --dataset folder:photos --backbone resnet50",
        "frostline extract --dataset tar:train.tar --backbone hf:facebook/dinov2-small",
    ),
    "worker": (
        "srun frostline worker job.toml",
        "frostline worker job.toml --part 0/2",
    ),
    "fit": (
        "frostline fit --dataset folder:photos --backbone resnet50 --head ridge",
        "frostline fit --dataset folder:photos --backbone resnet50 --grid C=0.1,1,10",
    ),
    "evaluate": (
        "frostline evaluate --dataset folder:photos --backbone resnet50 --head ridge",
        "frostline evaluate --dataset folder:photos --backbone resnet50 --json",
    ),
    "predict": (
        "frostline predict data/heads/HEAD new-photos --csv",
        "frostline predict data/heads/HEAD new-photos --out answers.parquet",
    ),
    "bench": ("frostline bench --example > matrix.toml", "frostline bench matrix.toml --dry-run"),
    "rank": (
        "frostline rank resnet50 resnet18 --dataset folder:photos",
        "frostline rank resnet50 hf:facebook/dinov2-small --dataset folder:photos",
    ),
    "health": (
        "frostline health --dataset folder:photos --backbone resnet50",
        "frostline health --dataset folder:photos --write-groups groups.csv",
    ),
    "report": ("frostline report data/runs/RUN", "frostline report data/runs/* --out comparison.html"),
    "export": (
        "frostline export data/heads/HEAD classifier.onnx",
        "frostline export data/heads/HEAD classifier.pt2",
    ),
    "encoders": ("frostline encoders resnet", "frostline encoders 'timm:vit_*dinov2*'"),
    "export-features": (
        "frostline export-features data/features/SET features.npz",
        "frostline export-features data/features/SET features.parquet",
    ),
    "ls": ("frostline ls", "frostline ls --json"),
    "verify": ("frostline verify", "frostline verify --data-dir elsewhere"),
    "migrate": ("frostline migrate", "frostline migrate --data-dir elsewhere"),
    "gc": ("frostline gc", "frostline gc --unfinished --yes"),
}

CACHED = ("fit", "evaluate", "health")
