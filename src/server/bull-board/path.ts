/** Where Bull Board lies; its pages and its scripts know. */
export const BOARD_PATH = "/queues";
