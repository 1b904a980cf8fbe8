"""Work spread over a cluster by Ray (the extra `ray`): files sent once, tasks that are asked again."""

from genbab.cluster.address import ClusterAddress
from genbab.cluster.packages import Package, packed_file, unpacked
from genbab.cluster.tasks import Cluster, Tasks, TaskShare, WorkerDied
from genbab.cluster.workplace import Workplace, interruptible

__all__ = [
    "Cluster",
    "ClusterAddress",
    "Package",
    "TaskShare",
    "Tasks",
    "WorkerDied",
    "Workplace",
    "interruptible",
    "packed_file",
    "unpacked",
]
