# What the machine allows, as shell assignments: the other steps adapt to it.
# Runs on the machine that the node will run on (for a system container: its host).
case "$(stat -fc %T /sys/fs/cgroup)" in
cgroup2fs) VKS_CGROUP_VERSION=2 ;;
*) VKS_CGROUP_VERSION=1 ;;
esac
# Bit 24 of the bounding set is CAP_SYS_RESOURCE: without it no oom_score_adj can be lowered.
bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
VKS_MAY_LOWER_OOM_SCORE=$((0x$bounding >> 24 & 1))
