/** The pictures on buttons that are refused, in the menu of a queue or of all. */
const IN_MENUS = ["pause", "plus", "chart-no-axes-gantt", "gauge", "trash-2", "ban"];
/** The same beside a job and above a list of jobs. */
const BESIDE_JOBS = ["files", "pencil", "trash-2", "clock", "arrow-up-down", "list-x"];

const pictures = (names: readonly string[]) => `:is(${names.map((name) => `.lucide-${name}`).join(", ")})`;

/** Nobody is to press what is refused anyway. Bull Board has no setting for it; one that slips through is refused. */
export const HIDE_REFUSED = `<style>
[role="menuitem"]:has(> ${pictures(IN_MENUS)}),
li:has(> button > ${pictures(BESIDE_JOBS)}, > span > button > ${pictures(BESIDE_JOBS)}) { display: none }
</style>`;
